output "url" {
  description = "Address that services post events to, with a signature of IAM."
  value       = "${module.domain.http_url}/v1/orders"
}

output "dead_letter_queue_name" {
  description = "Queue of the events that could not be written. Correct the cause, then redrive it: each event keeps its group."
  value       = module.queue.dlq_name
}

output "rollback_alarm_name" {
  description = "Alarm that reports a bad release."
  value       = module.alarms.rollback_alarm_name
}
