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
