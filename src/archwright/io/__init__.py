"""Files that appear whole or not at all, and typed data in them. Imports nothing above."""
