output "ws_url" {
  description = "Address that clients connect to."
  value       = local.ws_url
}

output "ws_callback_url" {
  description = "Address of @connections."
  value       = local.ws_callback_url
}

output "queues" {
  description = "URLs of the queues."
  value = {
    push         = module.queue["push"].url
    pushDlq      = module.queue["push"].dlq_url
    broadcast    = module.queue["broadcast"].url
    broadcastDlq = module.queue["broadcast"].dlq_url
    close        = module.queue["close"].url
    closeDlq     = module.queue["close"].dlq_url
  }
}

output "functions" {
  description = "Name of every function of this stack, by key."
  value       = module.service.function_names
}

output "policy_documents" {
  description = "Ready IAM policy document (JSON) for services: `publish`, over HTTP."
  value       = { publish = module.service.policy_documents["push-publish"].call }
}
