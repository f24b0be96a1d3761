"""Readers of image sets: folders, parquet files, Hugging Face. Import from the modules."""
