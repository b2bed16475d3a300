mock_provider "aws" {
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:us-east-1:123456789012:rule/bus/example" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:example-dlq" }
  }
}

variables {
  name           = "example"
  event_bus_name = "bus"
  detail_types   = ["SESSION_REVOKED", "SESSION_CREATED"]
  target         = { arn = "arn:aws:lambda:us-east-1:123456789012:function:example:live", function_name = "example", function_qualifier = "live" }
}

run "a_function_is_called_for_what_it_asked_for" {
  command = apply
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["this"].event_pattern) == { detail-type = ["SESSION_CREATED", "SESSION_REVOKED"] }
    error_message = "The pattern must hold the types, and no empty source."
  }
  assert {
    condition     = aws_lambda_permission.this["this"].source_arn == "arn:aws:events:us-east-1:123456789012:rule/bus/example" && aws_lambda_permission.this["this"].qualifier == "live"
    error_message = "Only this rule may call the function."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this["this"].dead_letter_config[0].arn == "arn:aws:sqs:us-east-1:123456789012:example-dlq" && aws_cloudwatch_event_target.this["this"].retry_policy[0].maximum_retry_attempts == 185
    error_message = "What cannot be delivered must be kept."
  }
  assert {
    condition     = aws_lambda_function_event_invoke_config.this["this"].destination_config[0].on_failure[0].destination == "arn:aws:sqs:us-east-1:123456789012:example-dlq" && aws_lambda_function_event_invoke_config.this["this"].qualifier == "live"
    error_message = "What the function fails on must be kept, too."
  }
}

run "a_queue_needs_no_lambda_permission" {
  command = apply
  variables {
    sources = ["holdfast.auth"]
    target  = { arn = "arn:aws:sqs:us-east-1:123456789012:work" }
  }
  assert {
    condition     = length(aws_lambda_permission.this) + length(aws_lambda_function_event_invoke_config.this) == 0 && jsondecode(aws_cloudwatch_event_rule.this["this"].event_pattern).source == ["holdfast.auth"]
    error_message = "A queue's policy is its owner's."
  }
}

run "create_false_makes_nothing" {
  command = plan
  variables { create = false }
  assert {
    condition     = length(aws_cloudwatch_event_rule.this) + length(aws_cloudwatch_event_target.this) + length(aws_lambda_permission.this) == 0 && output.dlq_url == null
    error_message = "Nothing may be created."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name                      = "has space"
    sources                   = []
    detail_types              = []
    target                    = { arn = "arn:aws:lambda:us-east-1:123456789012:function:example" }
    maximum_event_age_seconds = 59
    maximum_retry_attempts    = 186
    function_retry_attempts   = 3
    tags                      = { "aws:owner" = "me" }
    kms_key_arn               = "alias/mine"
    description               = format("%513s", "x")
    event_bus_name            = "has space"
  }
  expect_failures = [var.function_retry_attempts, var.name, var.sources, var.target, var.maximum_event_age_seconds, var.maximum_retry_attempts, var.tags, var.kms_key_arn, var.description, var.event_bus_name]
}

run "the_prefix_goes_before_the_name" {
  command = plan
  variables { name_prefix = "team" }
  assert {
    condition     = aws_cloudwatch_event_rule.this["this"].name == "team-example"
    error_message = "The name must start with the prefix."
  }
}

run "a_target_may_be_allowed_to_send_to_the_dead_letter_queue" {
  command = apply
  assert {
    condition     = jsondecode(output.policy_documents.dead_letter).Statement[0] == { Effect = "Allow", Action = ["sqs:SendMessage"], Resource = ["arn:aws:sqs:us-east-1:123456789012:example-dlq"] }
    error_message = "Send, and there only."
  }
}

run "refuses_an_event_type_without_a_name" {
  command = plan
  variables {
    detail_types = [""]
  }
  expect_failures = [var.detail_types]
}

run "each_setting_is_what_was_asked_for" {
  command = apply
  variables {
    maximum_event_age_seconds = 7200
    maximum_retry_attempts    = 9
    function_retry_attempts   = 1
    kms_key_arn               = "arn:aws:kms:us-east-1:123456789012:key/k"
  }
  assert {
    condition = jsonencode(output.settings) == jsonencode({
      dead_letter_queue = {
        dead_letters       = []
        dead_letters_of    = []
        insecure_denied    = true
        kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/k"
        managed_encryption = false
        max_size_bytes     = 262144
        name               = "example-dlq"
        retention_seconds  = 1209600
        senders            = ["events.amazonaws.com may sqs:SendMessage from arn:aws:events:us-east-1:123456789012:rule/bus/example"]
        visibility_seconds = 30
        wait_seconds       = 20
      }
      function_failures = { age_seconds = 7200, attempts = 1, function = "example", qualifier = "live", to_arn = "arn:aws:sqs:us-east-1:123456789012:example-dlq" }
      permission        = "events.amazonaws.com from arn:aws:events:us-east-1:123456789012:rule/bus/example to example:live"
      rule              = "ENABLED on bus: {\"detail-type\":[\"SESSION_CREATED\",\"SESSION_REVOKED\"]}"
      target            = { age_seconds = 7200, arn = "arn:aws:lambda:us-east-1:123456789012:function:example:live", attempts = 9, bus = "bus", dead_letters_arn = "arn:aws:sqs:us-east-1:123456789012:example-dlq" }
    })
    error_message = "The subscription as asked for: ${jsonencode(output.settings)}"
  }
}

run "a_subscription_can_be_off" {
  command = apply
  variables { enabled = false }
  assert {
    condition     = startswith(output.settings.rule, "DISABLED")
    error_message = "Nothing is delivered while it is off."
  }
}
