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

variable "release_manifest" {
  description = "Manifest of the release: version, arch, and of each function sha256, file and s3Key."
  type        = string
}

module "artifacts" {
  source = "../../../s3-bucket"

  name          = "example-service-artifacts"
  force_destroy = true
}

module "api" {
  source = "../../../http-api"

  name = "example-service"
}

module "service" {
  source = "../.."

  stack            = "shop"
  env              = "test"
  name_prefix      = "example-test"
  catalogue_file   = "${path.module}/functions.json"
  release_manifest = var.release_manifest
  artifacts_bucket = module.artifacts.name
  upload_artifacts = true

  http_api = {
    id            = module.api.id
    execution_arn = module.api.execution_arn
  }

  functions = {
    shop-buy = { description = "POST /v1/orders" }
  }
}

output "functions" {
  description = "Names of the functions."
  value       = module.service.function_names
}
