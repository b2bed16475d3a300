output "functions" {
  description = "Name of every function of this stack, by key."
  value       = module.service.function_names
}

output "authorizer" {
  description = "The function sessions-authorizer, as the module session-authorizer takes it: name, qualifier and invoke_arn."
  value = {
    name       = module.service.functions["sessions-authorizer"].name
    qualifier  = module.service.functions["sessions-authorizer"].qualifier
    invoke_arn = module.service.functions["sessions-authorizer"].invoke_arn
  }
}

output "policy_documents" {
  description = "Ready IAM policy documents (JSON) for services: `create_session` and `introspect`, over HTTP and by direct invocation."
  value = {
    for name, key in { create_session = "sessions-create", introspect = "sessions-introspect" } : name => jsonencode({
      Version   = "2012-10-17"
      Statement = concat([for document in ["invoke", "call"] : jsondecode(module.service.policy_documents[key][document]).Statement]...)
    })
  }
}
