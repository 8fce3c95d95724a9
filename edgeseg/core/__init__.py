"""The words that every part of edgeseg speaks: frames, masks, results, bundles, errors. numpy and the standard library only."""
