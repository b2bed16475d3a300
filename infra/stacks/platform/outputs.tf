output "http_url" {
  description = "Address of the HTTP API; routes follow as /v1/…"
  value       = local.http_url
}

output "http_api_url" {
  description = "Address of the HTTP API itself, which a domain name does not change."
  value       = module.context.is_local ? local.http_url : module.http_api.endpoint
}

output "http_api_id" {
  description = "Id of the HTTP API."
  value       = module.http_api.id
}

output "tables" {
  description = "Names of the tables."
  value = {
    sessions    = module.sessions_table.name
    connections = module.connections_table.name
  }
}

output "functions" {
  description = "Name of every function of this stack, by key."
  value       = module.service.function_names
}
