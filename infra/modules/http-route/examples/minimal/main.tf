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

module "api" {
  source = "../../../http-api"

  name = "example-route"
}

module "greet" {
  source = "../../../lambda-function"

  name     = "example-greet"
  artifact = { sha256 = var.zip_sha256, filename = var.zip_file }
}

module "route" {
  source = "../.."

  api_id             = module.api.id
  api_execution_arn  = module.api.execution_arn
  route_keys         = ["GET /v1/greeting", "GET /v1/greeting/{name}"]
  function_name      = module.greet.name
  function_qualifier = module.greet.qualifier
  invoke_arn         = module.greet.invoke_arn
}

output "endpoint" {
  description = "Address of the API."
  value       = module.api.endpoint
}
