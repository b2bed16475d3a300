mock_provider "aws" {
  mock_resource "aws_cloudwatch_event_bus" {
    defaults = { arn = "arn:aws:events:us-east-1:123456789012:event-bus/example" }
  }
}

variables { name = "example" }

run "a_bus_without_archive" {
  command = apply
  assert {
    condition     = aws_cloudwatch_event_bus.this["this"].name == "example" && length(aws_cloudwatch_event_archive.this) == 0
    error_message = "No archive unless asked for."
  }
  assert {
    condition     = jsondecode(output.policy_documents.publish).Statement[0] == { Effect = "Allow", Action = ["events:PutEvents"], Resource = ["arn:aws:events:us-east-1:123456789012:event-bus/example"] }
    error_message = "Publishers may put events to this bus only."
  }
}

run "an_archive_keeps_events" {
  command = apply
  variables { archive_retention_days = 14 }
  assert {
    condition     = aws_cloudwatch_event_archive.this["this"].retention_days == 14 && aws_cloudwatch_event_archive.this["this"].event_source_arn == aws_cloudwatch_event_bus.this["this"].arn
    error_message = "Events of this bus must be kept as long as asked for."
  }
}

run "create_false_makes_nothing" {
  command = plan
  variables { create = false }
  assert {
    condition     = length(aws_cloudwatch_event_bus.this) == 0 && output.arn == null
    error_message = "Nothing may be created."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name                   = "default"
    archive_retention_days = 1.5
    tags                   = { "aws:owner" = "me" }
    kms_key_arn            = "alias/mine"
    dead_letter_queue_arn  = "https://sqs.example/queue"
  }
  expect_failures = [var.dead_letter_queue_arn, var.name, var.archive_retention_days, var.tags, var.kms_key_arn]
}

run "the_prefix_goes_before_the_name" {
  command = plan
  variables { name_prefix = "team" }
  assert {
    condition     = aws_cloudwatch_event_bus.this["this"].name == "team-example"
    error_message = "The name must start with the prefix."
  }
}

run "each_setting_is_what_was_asked_for" {
  command = apply
  variables {
    archive_retention_days = 14
    kms_key_arn            = "arn:aws:kms:us-east-1:123456789012:key/k"
    dead_letter_queue_arn  = "arn:aws:sqs:us-east-1:123456789012:example-bus-dlq"
  }
  assert {
    condition     = jsonencode(output.settings) == jsonencode({ archive_days = 14, dead_letters_to = "arn:aws:sqs:us-east-1:123456789012:example-bus-dlq", kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k" })
    error_message = "The bus as asked for: ${jsonencode(output.settings)}"
  }
}
