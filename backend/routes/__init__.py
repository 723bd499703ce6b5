"""The addresses of the service, one file per noun; each only translates between HTTP and the desk or the library."""
