import { s } from '../../base/schema.ts'
import { defineCommand } from '../define-command.ts'
import { exitCodes } from '../exit-codes.ts'

/** Each asks `headgate __complete` for the words; what is offered is decided in one place. */
const scripts = {
  bash: `# bash completion for headgate; in ~/.bashrc:  source <(headgate completion bash)
_headgate() {
  local IFS=$'\\n'
  COMPREPLY=($(headgate __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  if [[ \${COMPREPLY[0]} == :file ]]; then
    COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
  fi
}
complete -o filenames -F _headgate headgate
`,
  zsh: `#compdef headgate
# zsh completion for headgate; in ~/.zshrc:  source <(headgate completion zsh)
_headgate() {
  local -a found
  found=("\${(@f)$(headgate __complete -- "\${words[@]:1:$((CURRENT - 1))}" 2>/dev/null)}")
  if [[ $found[1] == :file ]]; then
    _files
  else
    compadd -a -- found
  fi
}
compdef _headgate headgate
`,
  fish: `# fish completion for headgate; in config.fish:  headgate completion fish | source
function __headgate_complete
  set -l words (commandline -opc)
  set -e words[1]
  set -l found (headgate __complete -- $words (commandline -ct) 2>/dev/null)
  if test "$found[1]" = :file
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $found
  end
end
complete -c headgate -f -a '(__headgate_complete)'
`,
} as const

const shells = ['bash', 'zsh', 'fish'] as const

export const completionCommand = defineCommand({
  path: 'completion',
  summary: 'Print the completion script of a shell.',
  description:
    'Completes commands, flags, kinds, and the names of objects. For names it asks the gateway that HEADGATE_SERVER and HEADGATE_TOKEN name, briefly, and offers nothing when none answers.',
  examples: [
    { title: 'bash', command: 'source <(headgate completion bash)' },
    { title: 'zsh', command: 'source <(headgate completion zsh)' },
    { title: 'fish', command: 'headgate completion fish | source' },
  ],
  args: [
    {
      name: 'shell',
      summary: 'bash, zsh or fish.',
      isRequired: true,
      completion: { type: 'words', words: shells },
    },
  ],
  input: s.object({ shell: s.enum(shells, { error: 'must be `bash`, `zsh` or `fish`' }) }),
  async run({ shell }, { terminal }) {
    terminal.outRaw(scripts[shell])
    return exitCodes.ok
  },
})
