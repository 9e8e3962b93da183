import { Command } from 'commander';
import { TailrayError } from '../engine/errors.js';
import { offerToLossFiles } from '../recipe/loss-file.js';
import { visibleText } from '../storage/visible-text.js';
import { COMMANDS, type CommandName } from './commands.js';
import { showHiddenCharacters } from './text/terminal.js';

offerToLossFiles('tailray', () => import('../index.js'));

/** A command's parser: `tailray train` and `node dist/cli/train.js` are the same program with the same help. */
export function command(name: CommandName): Command {
  return parser(`tailray ${name}`).description(COMMANDS[name].summary);
}

/**
 * A parser as every command has it: errors that a person caused are printed as one message (exit 2), bugs keep their
 * stack trace (exit 1), and `--help` looks the same everywhere.
 */
export function parser(name: string): Command {
  return new Command(name).showHelpAfterError(`(${name} --help tells more)`).exitOverride();
}

/** Parses `process.argv`, runs the command's action and sets the exit code. */
export async function runCommand(program: Command, argv = process.argv): Promise<void> {
  showHiddenCharacters(process.stdout);
  try {
    await program.parseAsync(argv);
  } catch (error) {
    process.exitCode = reportError(error);
  }
}

function reportError(error: unknown): number {
  if (error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number') {
    // commander has already printed its message (or the help text, with exit code 0)
    return error.exitCode === 0 ? 0 : 2;
  }
  if (error instanceof TailrayError) {
    process.stderr.write(visibleText(`error: ${error.message}\n`));
    return 2;
  }
  process.stderr.write(visibleText(`${error instanceof Error ? error.stack : String(error)}\n`));
  return 1;
}
