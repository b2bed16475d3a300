output "rule_arn" {
  description = "ARN of the rule; a queue that is the target needs it in its policy."
  value       = try(aws_cloudwatch_event_rule.this["this"].arn, null)
}

output "dlq_name" {
  description = "Name of the dead-letter queue."
  value       = module.dead_letter_queue.name
}

output "dlq_url" {
  description = "URL of the dead-letter queue."
  value       = module.dead_letter_queue.url
}

output "dlq_arn" {
  description = "ARN of the dead-letter queue; the role of a function that is the target must be allowed to send there."
  value       = module.dead_letter_queue.arn
}

output "policy_documents" {
  description = "Ready IAM policy documents (JSON): `dead_letter` to send to the dead-letter queue, for a function that is the target; null without a subscription."
  value       = var.create ? { dead_letter = module.dead_letter_queue.policy_documents.send } : null
}

output "settings" {
  description = "Settings of the subscription and its dead-letter queue, taken from the resources, for reviews and tests."
  value = {
    dead_letter_queue = one(values(module.dead_letter_queue.settings))
    function_failures = one([for config in aws_lambda_function_event_invoke_config.this : {
      age_seconds = config.maximum_event_age_in_seconds
      attempts    = config.maximum_retry_attempts
      function    = config.function_name
      qualifier   = config.qualifier
      to_arn      = one(flatten([for destinations in config.destination_config : [for failures in destinations.on_failure : failures.destination]]))
    }])
    permission = one([for permission in aws_lambda_permission.this : format(
      "%v from %v to %v", permission.principal, permission.source_arn, join(":", compact([permission.function_name, permission.qualifier])),
    )])
    rule = one([for rule in aws_cloudwatch_event_rule.this : format("%v on %v: %v", rule.state, rule.event_bus_name, rule.event_pattern)])
    target = one([for target in aws_cloudwatch_event_target.this : {
      age_seconds      = target.retry_policy[0].maximum_event_age_in_seconds
      arn              = target.arn
      attempts         = target.retry_policy[0].maximum_retry_attempts
      bus              = target.event_bus_name
      dead_letters_arn = one([for config in target.dead_letter_config : config.arn])
    }])
  }
}
