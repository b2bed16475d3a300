output "event_bus" {
  description = "Name of the event bus."
  value       = module.bus.name
}

output "relay_dlq_url" {
  description = "URL of the queue with what the relay could not pass on."
  value       = module.relay_dlq.url
}

output "functions" {
  description = "Name of every function of this stack, by key."
  value       = module.service.function_names
}

output "activity_table" {
  description = "Name of the table with the audit trail and the last sign-ins."
  value       = module.activity.name
}
