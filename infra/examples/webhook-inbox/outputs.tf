output "url" {
  description = "Address that senders post to."
  value       = "${module.api.endpoint}/v1/webhooks/{source}"
}

output "rollback_alarm_name" {
  description = "Alarm that reports a bad release."
  value       = module.alarms.rollback_alarm_name
}
