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

module "api" {
  source = "../.."

  name        = "example-shop"
  description = "Orders."
  throttling  = { rate_limit = 200, burst_limit = 100 }

  cors = {
    allow_origins     = ["https://shop.example.com"]
    allow_headers     = ["authorization", "content-type", "if-match"]
    expose_headers    = ["etag"]
    allow_credentials = true
  }

  log_retention_days = 90
}

output "endpoint" {
  description = "Address of the API."
  value       = module.api.endpoint
}
