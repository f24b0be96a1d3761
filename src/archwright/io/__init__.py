"""Complete files and typed data in them. Imports no package of archwright but `errors`."""
