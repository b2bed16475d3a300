terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.96, < 7"
    }
  }
}

provider "aws" {}

variable "origin_secret" {
  description = "Secret of the edge."
  type        = string
  sensitive   = true
}

# With a provider of us-east-1: the web ACL and the certificate of CloudFront are there.
module "edge" {
  source = "../.."

  name               = "example"
  domain_name        = "api.example.com"
  origin_domain_name = "d-0123456789.execute-api.us-east-1.amazonaws.com"
  certificate_arn    = "arn:aws:acm:us-east-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"
  origin_secret      = var.origin_secret
}
