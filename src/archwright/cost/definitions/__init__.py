"""The costs that come with the package, a file each. Import from the modules."""
