"""Where corpora come from: one file for each, or for a family, found without a list of files."""
