/** Names of images and classes as parts of paths that stay below the folder they are put in. */

/** A name as that of one file or folder: signs that no such name may have become underscores. */
export function fileName(name: string): string {
  return name.replace(/[/\\:*?"<>|]/g, '_').replace(/^\.+/, '_');
}

/** An image's identifier as a path, its folders kept, without the ending of a picture's file. */
export function imagePath(image: string): string {
  const parts = image.split(/[/\\]/).filter((part) => part !== '' && part !== '.' && part !== '..');
  return parts
    .map(fileName)
    .join('/')
    .replace(/\.(?:png|jpe?g|dcm|dicom)$/i, '');
}
