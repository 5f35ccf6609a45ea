async def backup(source, target, *, progress=None): raise RuntimeError
async def restore(source, target): raise RuntimeError
