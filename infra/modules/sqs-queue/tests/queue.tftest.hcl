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

run "a_fifo_queue_has_a_fifo_dead_letter_queue" {
  command = apply
  variables { fifo = { content_based_deduplication = true, high_throughput = true } }
  assert {
    condition = { for key, queue in aws_sqs_queue.this : key => [queue.name, queue.fifo_queue, queue.content_based_deduplication, queue.deduplication_scope, queue.fifo_throughput_limit] } == {
      main = ["example.fifo", true, true, "messageGroup", "perMessageGroupId"]
      dlq  = ["example-dlq.fifo", true, false, "messageGroup", "perMessageGroupId"]
    }
    error_message = "SQS moves messages of a FIFO queue to a FIFO queue only."
  }
}

run "a_fifo_queue_is_strict_unless_asked" {
  command = plan
  variables { fifo = {} }
  assert {
    condition     = alltrue([for queue in aws_sqs_queue.this : queue.fifo_queue && !queue.content_based_deduplication && queue.deduplication_scope == "queue" && queue.fifo_throughput_limit == "perQueue"])
    error_message = "Senders give a deduplication id, which counts in the whole queue."
  }
}

run "a_delay_is_the_queues_own" {
  command = plan
  variables { delay_seconds = 45 }
  assert {
    condition     = aws_sqs_queue.this["main"].delay_seconds == 45 && aws_sqs_queue.this["dlq"].delay_seconds == 0
    error_message = "New messages wait; dead letters do not."
  }
}

run "dead_letters_can_go_to_a_queue_of_others" {
  command = apply
  variables { dead_letter_queue = { max_receive_count = 2, external_arn = "arn:aws:sqs:us-east-1:123456789012:shared-dlq" } }
  assert {
    condition     = keys(aws_sqs_queue.this) == ["main"] && length(aws_sqs_queue_redrive_allow_policy.this) == 0 && jsondecode(aws_sqs_queue_redrive_policy.this["main"].redrive_policy) == { deadLetterTargetArn = "arn:aws:sqs:us-east-1:123456789012:shared-dlq", maxReceiveCount = 2 }
    error_message = "No second queue, and the redrive leads to the other one."
  }
  assert {
    condition     = output.dlq_arn == "arn:aws:sqs:us-east-1:123456789012:shared-dlq" && output.dlq_name == "shared-dlq" && output.dlq_url == null && jsondecode(output.policy_documents.dead_letter).Statement[0].Resource == ["arn:aws:sqs:us-east-1:123456789012:shared-dlq"]
    error_message = "Alarms and roles get the other queue."
  }
}

run "further_statements_are_added_as_they_are" {
  command = apply
  variables {
    deny_insecure_transport = false
    policy_statements = {
      Partner = { principals = { AWS = ["arn:aws:iam::210987654321:root"] }, actions = ["sqs:SendMessage", "sqs:GetQueueUrl"] }
      Outside = { effect = "Deny", principals = { AWS = ["*"] }, actions = ["sqs:*"], conditions = { StringNotEquals = { "aws:PrincipalOrgID" = ["o-1"] } } }
    }
  }
  assert {
    condition = jsonencode(jsondecode(aws_sqs_queue_policy.this["main"].policy).Statement) == jsonencode([
      {
        Sid       = "Outside"
        Effect    = "Deny"
        Principal = { AWS = ["*"] }
        Action    = ["sqs:*"]
        Resource  = "arn:aws:sqs:us-east-1:123456789012:example"
        Condition = { StringNotEquals = { "aws:PrincipalOrgID" = ["o-1"] } }
      },
      {
        Sid       = "Partner"
        Effect    = "Allow"
        Principal = { AWS = ["arn:aws:iam::210987654321:root"] }
        Action    = ["sqs:GetQueueUrl", "sqs:SendMessage"]
        Resource  = "arn:aws:sqs:us-east-1:123456789012:example"
      },
    ]) && !contains(keys(aws_sqs_queue_policy.this), "dlq")
    error_message = "The statements as they are, on the queue alone: ${aws_sqs_queue_policy.this["main"].policy}"
  }
}

run "refuses_a_long_fifo_name_a_fraction_of_a_delay_and_a_bucket_for_dead_letters" {
  command = plan
  variables {
    name              = format("%072d", 1)
    fifo              = {}
    delay_seconds     = 1.5
    dead_letter_queue = { external_arn = "arn:aws:s3:::letters.fifo" }
    policy_statements = { "with space" = { principals = { AWS = ["arn:aws:iam::123456789012:root"] }, actions = ["sqs:SendMessage"] } }
  }
  expect_failures = [var.name, var.delay_seconds, var.dead_letter_queue, var.policy_statements]
}

run "refuses_dead_letters_of_another_kind_and_principals_of_no_kind" {
  command = plan
  variables {
    dead_letter_queue = { external_arn = "arn:aws:sqs:us-east-1:123456789012:shared-dlq.fifo" }
    policy_statements = { A = { principals = { User = ["me"] }, actions = ["sqs:SendMessage"] } }
  }
  expect_failures = [var.dead_letter_queue, var.policy_statements]
}

run "refuses_to_allow_every_action" {
  command = plan
  variables {
    policy_statements = { A = { principals = { AWS = ["arn:aws:iam::123456789012:root"] }, actions = ["sqs:*"] } }
  }
  expect_failures = [var.policy_statements]
}

run "refuses_to_allow_everyone" {
  command = plan
  variables {
    policy_statements = { A = { principals = { AWS = ["*"] }, actions = ["sqs:SendMessage"] } }
  }
  expect_failures = [var.policy_statements]
}
