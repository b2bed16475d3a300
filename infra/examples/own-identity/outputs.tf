output "login_url" {
  description = "Address that a page sends its users to."
  value       = "${local.public_url}/login"
}

output "redirect_uri" {
  description = "Redirect URI to register at the provider."
  value       = "${local.public_url}/callback"
}

output "rollback_alarm_name" {
  description = "Alarm that reports a bad release."
  value       = module.alarms.rollback_alarm_name
}
