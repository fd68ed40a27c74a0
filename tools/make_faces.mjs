// Render the cartoon faces: pixels.raw (uint8, N×128×128×3) and attributes.csv (a line a face, after the heading).
//
// usage: node make_faces.mjs [--count 10000] [--seed 1] [--into FOLDER]
//
// The style is DiceBear's lorelei (artwork by Lisa Wischofsky, CC0 1.0) in our own colours. Needs the packages
// @dicebear/core@9.4.3, @dicebear/collection@9.4.3 and @resvg/resvg-js@2.6.2 in a node_modules beside this file or
// above it; tools/pack_faces.py sees to that and packs the result. Face i depends on the seed and on i alone, so that a
// larger set begins with the smaller one. All is chosen here, DiceBear's own random numbers have no say.

import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { lorelei } from '@dicebear/collection';
import { createAvatar } from '@dicebear/core';
import { Resvg } from '@resvg/resvg-js';

const SIZE = 128;
const SUPERSAMPLING = 2; // rendered at twice the size, then averaged: soft edges
const CROP = '130 75 770 770'; // of the 980×980 drawing: the head and nothing below it
const SPREAD = { hair: 10, skin: 7, background: 5 }; // no two faces have quite the same colours

const HAIR_COLOURS = {
  black: '26222b', brown: '5b3822', chestnut: '8f4a24', blond: 'e0b24f', platinum: 'eed593', grey: 'a9adb8', red: 'c0361f',
  orange: 'ee7f3a', pink: 'f08fbb', purple: '8a5bd6', blue: '3f87e0', teal: '2fb3a4', green: '69b548',
};
const HAIR_WEIGHTS = { black: 4, brown: 4, chestnut: 3, blond: 3 }; // 1 for all others
const SKINS = { pale: 'ffe3d0', light: 'f7cfab', tan: 'e6b189', olive: 'cf9566', brown: 'ad7449', dark: '875535' };
const LIPS = { pale: 'b0303c', light: 'a52a36', tan: '96222e', olive: '7f1a24', brown: '5d1018', dark: '3d0a0f' };
const EYE_COLOURS = { brown: '42220e', black: '1a1416', blue: '1f56b5', green: '236b34', violet: '5a2f8f' };
const BACKGROUNDS = {
  sky: 'b9e2f5', lilac: 'd3c6ee', rose: 'fbd3dc', peach: 'fddfc0', mint: 'c9edcf', lemon: 'f7f0b8', white: 'f4f4f6',
};
const GEMS = ['e2a917', 'd23a3a', '2f7fd0'];

const numbered = (prefix, count, ...without) =>
  Array.from({ length: count }, (_, i) => prefix + String(i + 1).padStart(2, '0')).filter((name) => !without.includes(name));
const variants = (...numbers) => numbers.map((number) => `variant${number}`);

const HAIRS = numbered('variant', 48, ...variants('21', '40', '41', '45')); // those left out hide the face
const HAIR_LENGTHS = {
  bald: variants('25', '34'),
  // Ends between ear and chin; long hair falls below the chin.
  medium: variants('10', '13', '17', '18', '19', '20', '29', '31', '32', '33', '37', '42', '48'),
  long: variants('15', '16', '23', '24', '30', '35'),
  'tied up': variants('14', '26', '36', '38', '46'),
}; // short for all others
const EAR_HIDDEN = variants('14', '15', '19', '23'); // no earrings there
const EYES = numbered('variant', 24);
const EYES_CLOSED = variants('01', '19', '22');
const EYES_WINK = variants('15', '18');
const MOUTHS = [...numbered('happy', 18, 'happy12'), ...numbered('sad', 9)]; // happy12 drools
const MOUTHS_OPEN = ['happy05', 'happy06', 'happy07', 'happy08', 'happy16', 'sad01', 'sad06', 'sad07']; // or teeth showing
const MOUTHS_TONGUE = ['happy09', 'sad08'];
// What the style calls happy and sad looks to us like neither in these.
const MOUTHS_NEUTRAL = [...['08', '11', '14', '17', '18'].map((n) => `happy${n}`), 'sad02', 'sad03', 'sad05', 'sad09'];
const SUNGLASSES = 'variant02';

// ---------- random numbers: a stream for each face ----------

function stream(seed) {
  // mulberry32
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function hash(text) {
  // FNV-1a
  let h = 2166136261;
  for (const letter of text) h = Math.imul(h ^ letter.charCodeAt(0), 16777619);
  return h >>> 0;
}

// ---------- colours ----------

const channels = (hex) => [0, 2, 4].map((start) => parseInt(hex.slice(start, start + 2), 16));
const toHex = (rgb) => rgb.map((v) => Math.max(0, Math.min(255, Math.round(v))).toString(16).padStart(2, '0')).join('');
const darker = (hex, factor) => toHex(channels(hex).map((v) => v * factor));

function varied(hex, spread, random) {
  const lighter = (2 * random() - 1) * spread;
  return toHex(channels(hex).map((v) => v + lighter + (random() - 0.5) * spread));
}

// ---------- a face ----------

/** What is drawn (DiceBear's options), the background's colour, and the attributes in words. */
function face(random) {
  const pick = (list) => list[Math.floor(random() * list.length)];
  const sometimes = (probability, list) => (random() < probability ? pick(list) : null);
  const yes = (what) => (what ? 'yes' : 'no');

  const hairColour = pick(Object.keys(HAIR_COLOURS).flatMap((name) => Array(HAIR_WEIGHTS[name] ?? 1).fill(name)));
  const skin = pick(Object.keys(SKINS));
  const tooAlike = hairColour === 'platinum' ? ['lemon', 'peach'] : [];
  const background = pick(Object.keys(BACKGROUNDS).filter((name) => !tooAlike.includes(name)));
  const hairHex = varied(HAIR_COLOURS[hairColour], SPREAD.hair, random);
  const skinHex = varied(SKINS[skin], SPREAD.skin, random);
  const backgroundHex = varied(BACKGROUNDS[background], SPREAD.background, random);
  const eyeColour = pick(Object.keys(EYE_COLOURS));

  const hair = pick(HAIRS);
  const beard = sometimes(0.07, numbered('variant', 2));
  const parts = {
    hair,
    head: pick(numbered('variant', 4)),
    eyes: pick(EYES),
    eyebrows: pick(numbered('variant', 13)),
    nose: pick(numbered('variant', 6)),
    mouth: pick(MOUTHS),
    beard,
    glasses: sometimes(0.2, numbered('variant', 5)),
    earrings: EAR_HIDDEN.includes(hair) ? null : sometimes(0.15, numbered('variant', 3)),
    freckles: sometimes(0.1, ['variant01']),
    hairAccessories: beard ? null : sometimes(0.08, ['flowers']),
  };
  const colours = {
    hair: hairHex, skin: skinHex, eyes: EYE_COLOURS[eyeColour], eyebrows: darker(hairHex, 0.4), mouth: LIPS[skin],
    nose: darker(skinHex, 0.5), freckles: darker(skinHex, 0.65), glasses: '22222a', earrings: pick(GEMS),
    hairAccessories: 'f2c230',
  };
  const sunglasses = parts.glasses === SUNGLASSES;
  const look = EYES_CLOSED.includes(parts.eyes) ? 'closed' : EYES_WINK.includes(parts.eyes) ? 'wink' : 'open';
  const attributes = {
    hair_style: hair.replace('variant', ''),
    hair_length: Object.keys(HAIR_LENGTHS).find((length) => HAIR_LENGTHS[length].includes(hair)) ?? 'short',
    hair_colour: hairColour,
    skin,
    eyes: sunglasses ? 'hidden' : look,
    eye_colour: sunglasses ? 'hidden' : eyeColour,
    glasses: sunglasses ? 'sunglasses' : parts.glasses ? 'glasses' : 'none',
    mood: MOUTHS_NEUTRAL.includes(parts.mouth) ? 'neutral' : parts.mouth.replace(/\d+/, ''),
    mouth: MOUTHS_OPEN.includes(parts.mouth) ? 'open' : MOUTHS_TONGUE.includes(parts.mouth) ? 'tongue out' : 'closed',
    beard: yes(beard),
    freckles: yes(parts.freckles),
    flowers: yes(parts.hairAccessories),
    earrings: yes(parts.earrings),
    background,
  };
  return { parts, colours, backgroundHex, attributes };
}

function drawn({ parts, colours, backgroundHex }) {
  const options = { seed: 'fixed' };
  for (const [part, variant] of Object.entries(parts)) {
    options[part] = variant ? [variant] : [];
    options[`${part}Probability`] = variant ? 100 : 0;
  }
  for (const [part, hex] of Object.entries(colours)) options[`${part}Color`] = [hex];
  const avatar = createAvatar(lorelei, options);
  const really = avatar.toJson().extra;
  for (const [part, variant] of Object.entries(parts))
    if ((really[part] ?? null) !== variant) throw new Error(`DiceBear drew ${part} ${really[part]}, not ${variant}.`);
  const svg = avatar
    .toString()
    .replace(/viewBox="[^"]*"/, `viewBox="${CROP}"`)
    .replace(/<mask id="viewboxMask">.*?<\/mask>/, '')
    .replace(/ mask="url\(#viewboxMask\)"/, '');
  const fitTo = { mode: 'width', value: SIZE * SUPERSAMPLING };
  const resvg = new Resvg(svg, { fitTo, font: { loadSystemFonts: false }, background: `#${backgroundHex}` });
  return averaged(resvg.render().pixels);
}

/** RGBA of SIZE·SUPERSAMPLING to RGB of SIZE: the mean of each block. */
function averaged(rgba) {
  const rgb = new Uint8Array(SIZE * SIZE * 3);
  for (let y = 0, o = 0; y < SIZE; y++)
    for (let x = 0; x < SIZE; x++)
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let a = 0; a < SUPERSAMPLING; a++)
          for (let b = 0; b < SUPERSAMPLING; b++)
            sum += rgba[((y * SUPERSAMPLING + a) * SIZE * SUPERSAMPLING + x * SUPERSAMPLING + b) * 4 + channel];
        rgb[o++] = Math.floor(sum / SUPERSAMPLING ** 2 + 0.5);
      }
  return rgb;
}

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    into: { type: 'string', default: '.' },
  },
});
const count = Number(values.count);
if (!Number.isInteger(count) || count < 1)
  throw new Error(`--count is to be a whole number from 1 up, not ${values.count}.`);

const pixels = fs.openSync(path.join(values.into, 'pixels.raw'), 'w');
const lines = [];
for (let i = 0; i < count; i++) {
  const random = stream(hash(`lorelei/${values.seed}/${i}`));
  for (let skipped = 0; skipped < 4; skipped++) random(); // the first numbers of close seeds are alike
  const made = face(random);
  fs.writeSync(pixels, drawn(made));
  if (i === 0) lines.push(Object.keys(made.attributes));
  lines.push(Object.values(made.attributes));
  if (i % 100 === 99) await new Promise(setImmediate); // lets the renderer give its memory back
}
fs.closeSync(pixels);
fs.writeFileSync(path.join(values.into, 'attributes.csv'), lines.map((line) => line.join(',') + '\n').join(''));
