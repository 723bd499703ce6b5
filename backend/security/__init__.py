"""Who may use the service, how much of it, and from where; :mod:`.wiring` puts it before the application."""
