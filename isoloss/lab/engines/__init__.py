"""The engines, one file each; engine.py says what an engine is."""
