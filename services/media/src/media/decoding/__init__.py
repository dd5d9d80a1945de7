"""What reads strangers' bytes: in processes of its own, forked for one file each and bounded by the kernel.

Each takes a task from its folder and leaves a result there. Nothing here opens sockets.
"""
