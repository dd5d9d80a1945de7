"""Meta: Facebook Pages and Instagram, Graph API v26.0."""
