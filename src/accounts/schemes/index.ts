/** Registry of the schemes an account can have. */
import { basicScheme } from './basic.ts'
import { bearerScheme } from './bearer.ts'
import type { AccountScheme } from './define-scheme.ts'
import { headerScheme } from './header.ts'

export const accountSchemes: readonly AccountScheme[] = [headerScheme, basicScheme, bearerScheme]
