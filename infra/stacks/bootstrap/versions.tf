terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.96, < 7"
    }
  }

  # Filled in by environments/<env>.s3.tfbackend and the key of the stack; a local file for the local environment.
  backend "s3" {}
}
