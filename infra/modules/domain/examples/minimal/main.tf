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
  source = "../../../http-api"

  name = "example-domain"
}

resource "aws_route53_zone" "example" {
  #checkov:skip=CKV2_AWS_38:This zone is an example; no resolver sends queries to it
  #checkov:skip=CKV2_AWS_39:This zone is an example; no resolver sends queries to it

  name = "shop.example"
}

module "domain" {
  source = "../.."

  http        = { domain_name = "api.shop.example", api_id = module.api.id }
  hosted_zone = { id = aws_route53_zone.example.zone_id }
}

output "url" {
  description = "Address of the API."
  value       = module.domain.http_url
}
