"""Result files that enter and leave the service."""
