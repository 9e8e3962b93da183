#!/usr/bin/env node
/** `runs`: which runs there are and how they went; their removal; what two or more differ in. */
import { command, runCommand } from './command.js';
import { addCompare } from './runs/compare.js';
import { addList } from './runs/list.js';
import { addRemove } from './runs/remove.js';

const program = command('runs');
for (const add of [addList, addCompare, addRemove]) add(program);

await runCommand(program);
