"""What runs the platform on a developer's machine, without Docker and without an AWS account."""
