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

variable "zip_file" {
  description = "Zip with the binary, named bootstrap."
  type        = string
}

variable "zip_sha256" {
  description = "SHA-256 of the zip, in hexadecimal digits."
  type        = string
}

module "minimal" {
  source = "../.."

  name     = "example-minimal"
  artifact = { sha256 = var.zip_sha256, filename = var.zip_file }
}

output "arn" {
  description = "ARN to call."
  value       = module.minimal.arn
}
