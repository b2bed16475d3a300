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

variable "authorizer" {
  description = "Output `authorizer` of the stack sessions: name, qualifier and invoke_arn."
  type = object({
    name       = string
    qualifier  = optional(string)
    invoke_arn = string
  })
}

module "api" {
  source = "../../../http-api"

  name = "example-protected"
}

module "authorizer" {
  source = "../.."

  api      = { type = "HTTP", id = module.api.id, execution_arn = module.api.execution_arn }
  function = var.authorizer
}

output "authorizer_id" {
  description = "Id of the authorizer, for the routes that need a session."
  value       = module.authorizer.id
}
