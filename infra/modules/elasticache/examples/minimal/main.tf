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

variable "vpc_id" {
  description = "VPC of the cache."
  type        = string
}

variable "subnet_ids" {
  description = "At least two subnets."
  type        = list(string)
}

variable "functions_security_group_id" {
  description = "Security group of the functions."
  type        = string
}

module "cache" {
  source = "../.."

  mode                      = "serverless"
  name                      = "example"
  vpc_id                    = var.vpc_id
  subnet_ids                = var.subnet_ids
  caller_security_group_ids = { functions = var.functions_security_group_id }
  key_pattern               = "app:*"
}

output "url" {
  description = "Address of the cache."
  value       = module.cache.url
}
