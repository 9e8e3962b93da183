/**
 * The names under which the field's tables keep what is not a label. Compared without case, spaces and underscores,
 * so that `Patient ID`, `patient_id` and `PatientID` are one name.
 */

const imageNames = [
  'imageid',
  'imageindex',
  'image',
  'imagepath',
  'imagename',
  'imagefile',
  'filename',
  'filepath',
  'file',
  'path',
  'img',
  'imgpath',
  'dicomid',
  'id',
];
const patientNames = ['patientid', 'patient', 'subjectid', 'subject'];
const splitNames = ['split', 'subset', 'partition', 'dataset'];
const otherNames = [
  'studydatedicom',
  'studydate',
  'studyid',
  'study',
  'date',
  'sex',
  'gender',
  'age',
  'patientsex',
  'patientgender',
  'patientage',
  'view',
  'viewposition',
  'frontal/lateral',
  'ap/pa',
  'manufacturer',
  'manufacturermodelname',
  'follow-up#',
  'fold',
  'index',
  'unnamed:0',
];

/** Folds a column name for comparison. */
export function foldColumnName(name: string): string {
  return name.toLowerCase().replace(/[\s_]/g, '');
}

/** Position of a column by its folded name, or −1. */
export function findColumn(header: readonly string[], name: string): number {
  const folded = foldColumnName(name);
  return header.findIndex((column) => foldColumnName(column) === folded);
}

/** Position of the image column by name, the most telling name first; −1 when none has such a name. */
export function findImageColumn(header: readonly string[]): number {
  return firstOf(header, imageNames);
}

/** Position of the patient column by name, or −1. */
export function findPatientColumn(header: readonly string[]): number {
  return firstOf(header, patientNames);
}

/** Position of a column that assigns rows to train / validation / test, or −1. */
export function findSplitColumn(header: readonly string[]): number {
  return firstOf(header, splitNames);
}

/** True for columns known to describe the image or patient rather than a finding (age, sex, view, dates, row numbers). */
export function isDescriptiveColumn(name: string): boolean {
  const folded = foldColumnName(name);
  return folded === '' || knownNames.has(folded);
}

/** The split a cell names, or null. */
export function readSplitName(text: string): 'train' | 'validation' | 'test' | null {
  switch (text.trim().toLowerCase()) {
    case 'train':
    case 'training':
      return 'train';
    case 'val':
    case 'valid':
    case 'validation':
    case 'dev':
      return 'validation';
    case 'test':
    case 'testing':
      return 'test';
    default:
      return null;
  }
}

const knownNames = new Set([...imageNames, ...patientNames, ...splitNames, ...otherNames]);

function firstOf(header: readonly string[], names: readonly string[]): number {
  const folded = header.map(foldColumnName);
  for (const name of names) {
    const at = folded.indexOf(name);
    if (at >= 0) return at;
  }
  return -1;
}
