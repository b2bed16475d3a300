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

  name = "example-guarded"
}

module "admin" {
  source = "../../../lambda-function"

  name            = "example-admin"
  artifact        = { sha256 = var.zip_sha256, filename = var.zip_file }
  timeout_seconds = 5
}

module "route" {
  source = "../.."

  api_id               = module.api.id
  api_execution_arn    = module.api.execution_arn
  route_keys           = ["GET /v1/reports/{reportId}", "ANY /v1/admin/{proxy+}"]
  authorization        = "AWS_IAM"
  function_name        = module.admin.name
  function_qualifier   = module.admin.qualifier
  invoke_arn           = module.admin.invoke_arn
  timeout_milliseconds = 5000
}

output "invoke_policy" {
  description = "Policy document for those that may call these routes."
  value       = module.route.policy_documents.invoke
}
