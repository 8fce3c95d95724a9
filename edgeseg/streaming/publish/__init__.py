"""What hands results on to other programs while it runs: the publisher, and one file for each way out."""
