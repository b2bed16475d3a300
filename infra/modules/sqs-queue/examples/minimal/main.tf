terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.96, < 7"
    }
  }
}

# Region and credentials come from the environment.
provider "aws" {}

module "queue" {
  source = "../.."

  name = "example"
}

output "url" {
  description = "URL of the queue."
  value       = module.queue.url
}
