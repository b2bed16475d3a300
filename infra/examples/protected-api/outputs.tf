output "urls" {
  description = "Address of each handler, by function."
  value       = { for key in keys(module.service.functions) : key => "${local.endpoint}/v1/${trimprefix(key, "orders-")}" }
}

output "rollback_alarm_name" {
  description = "Alarm that reports a bad release."
  value       = module.alarms.rollback_alarm_name
}
