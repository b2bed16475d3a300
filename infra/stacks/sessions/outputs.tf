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

output "authorizer_instance" {
  description = "The definition of the function sessions-authorizer, as the input `instance` of the module session-authorizer takes it, for an API with requirements of its own."
  # The deployer moves the aliases of this stack only.
  value = merge(module.service.definitions["sessions-authorizer"], { alias_owner = module.context.is_local ? "none" : "terraform" })
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
