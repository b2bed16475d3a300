variable "env" {
  description = "Name of the environment: staging, production, or your own."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.env))
    error_message = "env must have 1 to 20 characters: a-z, 0-9 and '-', starting with a letter."
  }
}

variable "region" {
  description = "AWS Region."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS Region such as eu-central-1."
  }
}

variable "allowed_account_ids" {
  description = "AWS accounts that this environment may be deployed to; empty for any. It protects against the wrong credentials."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.allowed_account_ids : can(regex("^[0-9]{12}$", id))])
    error_message = "allowed_account_ids must be account ids of 12 digits."
  }
}

variable "name_prefix" {
  description = "Prefix of all names; null for holdfast-<env>."
  type        = string
  default     = null

  validation {
    condition     = var.name_prefix == null ? true : can(regex("^[a-z][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "name_prefix must have 1 to 40 characters: a-z, 0-9 and '-', starting with a letter."
  }
}

variable "local_endpoint" {
  description = "Address of the local cloud (http://127.0.0.1:<port>); empty on AWS."
  type        = string
  default     = ""

  validation {
    condition     = var.local_endpoint == "" || can(regex("^http://(127\\.0\\.0\\.1|localhost):[0-9]+$", var.local_endpoint))
    error_message = "local_endpoint must be empty, or http://127.0.0.1:<port> without a slash at the end."
  }
}

variable "manage_api_gateway_account" {
  description = "Whether to give API Gateway its role for logs, which is a setting of the whole account and Region. Switch it off if another stack sets it."
  type        = bool
  default     = true
}

variable "access_log_bucket" {
  description = "Bucket of the account in which S3 records the reads and writes of state and artifacts; null for none."
  type        = string
  default     = null
}

variable "github_repository" {
  description = "GitHub repository (owner/name) whose pipelines may plan and deploy; empty for none."
  type        = string
  default     = ""

  validation {
    condition     = var.github_repository == "" || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be owner/name, or empty."
  }
}

variable "pull_requests_may_plan" {
  description = "Whether pull requests, and so any branch of the repository, may take the role that plans. It is off in production, where only main checks for drift."
  type        = bool
  default     = false
}

variable "topic_policy" {
  description = "The same variable as of the stack push. A function that it names may be called although its name does not start with name_prefix."
  type        = string
  default     = ""

  validation {
    condition     = startswith(var.topic_policy, "arn:") ? can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_-]+)?$", var.topic_policy)) : can(regex("^[^*\\s]*$", var.topic_policy))
    error_message = "topic_policy must be empty, prefixes with commas and without spaces or '*', or the ARN of one function."
  }
}

variable "presence_policy" {
  description = "The same variable as of the stack push. A function that it names may be called although its name does not start with name_prefix."
  type        = string
  default     = "self"

  validation {
    condition     = contains(["self", "everyone"], var.presence_policy) || can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_-]+)?$", var.presence_policy))
    error_message = "presence_policy must be self, everyone, or the ARN of one function."
  }
}

variable "create_github_provider" {
  description = "Whether to create GitHub's identity provider; false in an account that has it (another environment's bootstrap made it)."
  type        = bool
  default     = true
}

variable "monthly_budget_usd" {
  description = "Limit of the costs of a month, in US dollars; 0 for no budget."
  type        = number
  default     = 0

  validation {
    condition     = var.monthly_budget_usd >= 0
    error_message = "monthly_budget_usd must be 0 or more."
  }
}

variable "budget_email_addresses" {
  description = "E-mail addresses that are notified when the budget is being spent."
  type        = list(string)
  default     = []

  validation {
    condition     = var.monthly_budget_usd == 0 || length(var.budget_email_addresses) > 0
    error_message = "budget_email_addresses must not be empty with a budget."
  }
}
