"""What a load costs a month, and what it needs of an AWS account: by arithmetic, without a deployment."""
