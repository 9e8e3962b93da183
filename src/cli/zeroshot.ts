#!/usr/bin/env node
/** `zeroshot`: scores for findings that nobody labelled, the choice of their rules, embeddings, search. */
import { command, runCommand } from './command.js';
import { addEmbed } from './zeroshot/embed.js';
import { addScore } from './zeroshot/score.js';
import { addSearch } from './zeroshot/search.js';
import { addTune } from './zeroshot/tune.js';

const program = command('zeroshot');
for (const add of [addScore, addTune, addEmbed, addSearch]) add(program);

await runCommand(program);
