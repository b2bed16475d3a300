mock_provider "aws" {
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:example", url = "https://sqs.us-east-1.amazonaws.com/123456789012/example" }
  }
}

override_resource {
  target = aws_sqs_queue.this["main"]
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:example", url = "https://sqs/example" }
}

override_resource {
  target = aws_sqs_queue.this["dlq"]
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:example-dlq", url = "https://sqs/example-dlq" }
}

variables { name = "example" }

run "a_queue_has_a_dead_letter_queue_and_refuses_plain_http" {
  command = apply
  assert {
    condition     = toset(keys(aws_sqs_queue.this)) == toset(["main", "dlq"]) && aws_sqs_queue.this["dlq"].name == "example-dlq" && aws_sqs_queue.this["dlq"].message_retention_seconds == 1209600
    error_message = "Failed messages must be kept as long as SQS can."
  }
  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_policy.this["main"].redrive_policy).maxReceiveCount == 5 && jsondecode(aws_sqs_queue_redrive_allow_policy.this["dlq"].redrive_allow_policy).redrivePermission == "byQueue"
    error_message = "Five receives, and only this queue may use its dead-letter queue."
  }
  assert {
    condition     = alltrue([for key in ["main", "dlq"] : jsondecode(aws_sqs_queue_policy.this[key].policy).Statement[0].Effect == "Deny" && jsondecode(aws_sqs_queue_policy.this[key].policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"])
    error_message = "Both queues must refuse requests without TLS."
  }
  assert {
    condition     = alltrue([for queue in aws_sqs_queue.this : queue.sqs_managed_sse_enabled])
    error_message = "Messages must be encrypted at rest."
  }
  assert {
    condition     = jsondecode(output.policy_documents.consume).Statement[0].Action == ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    error_message = "A reader needs these three."
  }
}

run "each_setting_of_both_queues_is_what_was_asked_for" {
  command = apply
  variables {
    visibility_timeout_seconds = 90
    message_retention_seconds  = 3600
    max_message_size_bytes     = 2048
    dead_letter_queue          = { max_receive_count = 3, message_retention_seconds = 7200 }
  }
  assert {
    condition = jsonencode(output.settings) == jsonencode({
      dlq = {
        dead_letters       = []
        dead_letters_of    = ["arn:aws:sqs:us-east-1:123456789012:example"]
        insecure_denied    = true
        kms_key_arn        = null
        managed_encryption = true
        max_size_bytes     = 2048
        name               = "example-dlq"
        retention_seconds  = 7200
        senders            = []
        visibility_seconds = 30
        wait_seconds       = 20
      }
      main = {
        dead_letters       = [{ deadLetterTargetArn = "arn:aws:sqs:us-east-1:123456789012:example-dlq", maxReceiveCount = 3 }]
        dead_letters_of    = []
        insecure_denied    = true
        kms_key_arn        = null
        managed_encryption = true
        max_size_bytes     = 2048
        name               = "example"
        retention_seconds  = 3600
        senders            = []
        visibility_seconds = 90
        wait_seconds       = 20
      }
    })
    error_message = "Both queues as asked for, and each other's: ${jsonencode(output.settings)}"
  }
}

run "a_key_replaces_sse" {
  command = plan
  variables { kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k" }
  assert {
    condition     = alltrue([for queue in aws_sqs_queue.this : queue.kms_master_key_id == "arn:aws:kms:us-east-1:123456789012:key/k"])
    error_message = "Both queues must use the key."
  }
}

run "a_dead_letter_queue_can_stand_alone" {
  command = apply
  variables {
    dead_letter_queue       = null
    deny_insecure_transport = false
  }
  assert {
    condition     = keys(aws_sqs_queue.this) == ["main"] && length(aws_sqs_queue_redrive_policy.this) == 0 && length(aws_sqs_queue_policy.this) == 0 && output.dlq_arn == null
    error_message = "No second queue, no policy."
  }
}

run "senders_are_bound_to_their_source" {
  command = apply
  variables {
    senders = { Rule = { service = "events.amazonaws.com", source_arn = "arn:aws:events:us-east-1:123456789012:rule/r" } }
  }
  assert {
    condition = jsonencode(jsondecode(aws_sqs_queue_policy.this["main"].policy).Statement) == jsonencode([
      {
        Sid       = "DenyInsecureTransport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = "arn:aws:sqs:us-east-1:123456789012:example"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "Rule"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = "arn:aws:sqs:us-east-1:123456789012:example"
        Condition = { ArnEquals = { "aws:SourceArn" = "arn:aws:events:us-east-1:123456789012:rule/r" } }
      },
    ])
    error_message = "A service may send for one source only."
  }
}

run "create_false_makes_nothing" {
  command = plan
  variables { create = false }
  assert {
    condition     = length(aws_sqs_queue.this) == 0 && output.url == null
    error_message = "Nothing may be created."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name                      = "has space"
    consumer_timeout_seconds  = -1
    message_retention_seconds = 59
    max_message_size_bytes    = 262145
    senders                   = { A = { service = "*", source_arn = "arn:x" } }
    tags                      = { "aws:owner" = "me" }
    kms_key_arn               = "alias/mine"
  }
  expect_failures = [
    var.name, var.consumer_timeout_seconds, var.message_retention_seconds, var.max_message_size_bytes, var.senders, var.tags, var.kms_key_arn,
  ]
}

run "refuses_a_visibility_below_six_times_the_functions_timeout" {
  command = plan
  variables {
    consumer_timeout_seconds   = 60
    visibility_timeout_seconds = 359
    dead_letter_queue          = { message_retention_seconds = 60 }
    senders                    = { Any = { service = "events.amazonaws.com", source_arn = "*" } }
  }
  expect_failures = [var.visibility_timeout_seconds, var.dead_letter_queue, var.senders]
}

run "refuses_a_visibility_over_12_hours_and_no_receives" {
  command = plan
  variables {
    visibility_timeout_seconds = 43201
    dead_letter_queue          = { max_receive_count = 0 }
  }
  expect_failures = [var.visibility_timeout_seconds, var.dead_letter_queue]
}

run "the_prefix_goes_before_the_name" {
  command = plan
  variables { name_prefix = "team" }
  assert {
    condition     = aws_sqs_queue.this["main"].name == "team-example"
    error_message = "The name must start with the prefix."
  }
}
