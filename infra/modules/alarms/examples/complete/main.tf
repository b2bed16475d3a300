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

resource "aws_sns_topic" "alarms" {
  name              = "example-alarms"
  kms_master_key_id = "alias/aws/sns"
}

module "alarms" {
  source = "../.."

  name_prefix        = "example-shop"
  topic_arns         = [aws_sns_topic.alarms.arn]
  error_rate_percent = 0.5

  functions = {
    buy   = { name = "example-buy", p99_milliseconds = 500 }
    relay = { name = "example-relay", timeout_seconds = 60, max_iterator_age_seconds = 60 }
  }

  queues = {
    orders = { name = "example-orders", dlq_name = "example-orders-dlq", max_age_seconds = 60 }
  }

  custom = {
    cache-hit-rate = {
      description = "The cache is of little use."
      metrics = {
        hits   = { namespace = "Example", name = "CacheHit", stat = "Sum" }
        misses = { namespace = "Example", name = "CacheMiss", stat = "Sum" }
      }
      expression = "IF(hits + misses > 0, 100 * hits / (hits + misses), 100)"
      threshold  = 80
      comparison = "LessThanThreshold"
    }
  }
}

output "rollback_alarm_name" {
  description = "Alarm that reports a bad release."
  value       = module.alarms.rollback_alarm_name
}
