"""The loop: sources, slots, the ledger, the pipeline, sinks."""
