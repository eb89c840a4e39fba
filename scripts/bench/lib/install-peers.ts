import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import type { Case } from '../install.ts'
import type { FileServer } from './file-server.ts'

/** The trees of two releases. */
export interface Folders {
  readonly old: string
  readonly next: string
}

/** Where peers work: on the disk that is measured; below what is served; and away from it. */
export interface PeerPlaces {
  readonly disk: string
  readonly served: string
  readonly away: string
  readonly server: FileServer
}

/** A command line for bash. Everything is passed in variables: OLD, NEW, DISK (the disk), R (an empty folder on it), SERVED, AWAY, URL. */
interface Peer {
  readonly name: string
  readonly needs: string
  /** Once, before all. */
  readonly make: string
  /** Before each run, with R gone. */
  readonly prepare: string
  readonly work: string
}

const emptyRoot =
  'mkdir -p $R/var/lib/dpkg/updates $R/var/lib/dpkg/info $R/var/log; : >$R/var/lib/dpkg/status; : >$R/var/lib/dpkg/available'
const package_ = (version: string, tree: string, file: string) => `
  mkdir -p $AWAY/stage/opt $AWAY/stage/DEBIAN; cp -a ${tree} $AWAY/stage/opt/app
  printf 'Package: bench\\nVersion: ${version}\\nArchitecture: all\\nMaintainer: Bench <bench@example.org>\\nDescription: bench\\n' >$AWAY/stage/DEBIAN/control
  dpkg-deb --root-owner-group -Zzstd -z3 -b $AWAY/stage ${file}; rm -rf $AWAY/stage`
const dpkg = (file: string, ...options: string[]) => `dpkg --root=$R --log=$R/log ${options.join(' ')} -i ${file}`

const peers: readonly Peer[] = [
  {
    name: 'tar xf; sync -f (a plain tar, verifying nothing)',
    needs: 'tar',
    make: 'tar --sort=name -C $OLD -cf $AWAY/old.tar .; tar --sort=name -C $NEW -cf $SERVED/new.tar .',
    prepare: 'mkdir $R',
    work: 'tar -C $R -xf $AWAY/old.tar; sync -f $R',
  },
  {
    name: 'cp -al (every file linked)',
    needs: 'cp',
    make: 'cp -a $OLD $DISK/tree',
    prepare: '',
    work: 'cp -al $DISK/tree $R',
  },
  {
    name: 'dpkg -i',
    needs: 'dpkg-deb',
    make: `${package_('1.0.0', '$OLD', '$AWAY/old.deb')}${package_('1.1.0', '$NEW', '$AWAY/new.deb')}`,
    prepare: emptyRoot,
    work: dpkg('$AWAY/old.deb'),
  },
  {
    name: 'dpkg -i, upgrade',
    needs: 'dpkg-deb',
    make: '',
    prepare: `${emptyRoot}; ${dpkg('$AWAY/old.deb', '--force-unsafe-io')}`,
    work: dpkg('$AWAY/new.deb'),
  },
  {
    name: 'casync extract, upgrade with the old tree as seed',
    needs: 'casync',
    make: 'casync make --store=$SERVED/cas $SERVED/new.caidx $NEW',
    prepare: 'mkdir $R',
    work: 'casync extract --seed=$DISK/tree --store=$URL/cas $URL/new.caidx $R/x; sync -f $R',
  },
  {
    name: 'zsync of a tar, tar xf, upgrade',
    needs: 'zsync',
    make: 'cd $SERVED; zsyncmake -o new.tar.zsync -u new.tar new.tar',
    prepare: 'mkdir $R; cp $AWAY/old.tar $DISK/old.tar',
    work: 'cd $R; zsync -q -i $DISK/old.tar -o new.tar $URL/new.tar.zsync; mkdir x; tar -C x -xf new.tar; sync -f $R',
  },
  {
    name: 'ostree pull of a static delta, checkout by links, upgrade',
    needs: 'ostree',
    make: `ostree --repo=$SERVED/ostree init --mode=archive
      a=$(ostree --repo=$SERVED/ostree commit -b old --tree=dir=$OLD --owner-uid=0 --owner-gid=0)
      b=$(ostree --repo=$SERVED/ostree commit -b new --tree=dir=$NEW --owner-uid=0 --owner-gid=0)
      ostree --repo=$SERVED/ostree static-delta generate --from=$a --to=$b --disable-bsdiff
      ostree --repo=$SERVED/ostree summary -u
      ostree --repo=$DISK/ostree init --mode=bare
      ostree --repo=$DISK/ostree remote add --no-gpg-verify vendor $URL/ostree
      ostree --repo=$DISK/ostree pull vendor old`,
    prepare: 'mkdir $R; cp -al $DISK/ostree $R/repo',
    work: 'ostree --repo=$R/repo pull --require-static-deltas vendor new; ostree --repo=$R/repo checkout -H vendor:new $R/x; sync -f $R',
  },
]

/** Prepare what the peers need that this machine has. */
export function peerCases(folders: Folders, places: PeerPlaces): readonly Case[] {
  const target = path.join(places.disk, 'peer')
  const environment = {
    PATH: `${process.env['PATH']}:/usr/sbin:/sbin`,
    LC_ALL: 'C',
    OLD: folders.old,
    NEW: folders.next,
    DISK: places.disk,
    R: target,
    SERVED: places.served,
    AWAY: places.away,
    URL: places.server.url,
  }
  const bash = (script: string) => {
    if (script === '') return
    execFileSync('bash', ['-euc', script], { env: environment, stdio: ['ignore', 'ignore', 'pipe'] })
  }
  return peers.filter(isHere).map(({ name, make, prepare, work }) => {
    bash(make)
    return {
      name,
      prepare: () => {
        fs.rmSync(target, { recursive: true, force: true })
        bash(prepare)
      },
      work: () => bash(work),
    }
  })
}

function isHere({ name, needs }: Peer): boolean {
  const found = spawnSync('bash', ['-c', `command -v ${needs}`]).status === 0
  const isAllowed = !needs.startsWith('dpkg') || process.getuid!() === 0
  if (!found) process.stdout.write(`without ${name}: ${needs} is not installed\n`)
  return found && isAllowed
}
