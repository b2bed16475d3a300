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

module "alarms" {
  source = "../.."

  name_prefix = "example"
  functions   = { login = { name = "example-login" } }
}

output "rollback_alarm_name" {
  description = "Alarm that reports a bad release."
  value       = module.alarms.rollback_alarm_name
}
